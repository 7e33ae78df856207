//! Words that say nothing about what a workflow does.

pub(super) const PLAIN: &str = "\
the a an this that these those my our your their his her its it them they we us i me you he she him one ones some any all each every both \
either neither another other others same such which who whom whose what whatever there here \
and or but so then also too as at by for from in into of off on onto out over per than through throughout to toward under up upon via with \
within without about after before between during until till while since because if when whenever once whether where how why \
not no only just even still already ever never always often usually again soon now later today \
new newest latest recent next last first second third current own fresh incoming unread open short small little big large whole full \
simple good nice clear friendly daily weekly monthly hourly certain specific given particular relevant important internal external public \
private main single own back directly automatically immediately automatic regularly quickly right away together together well very really \
more most less least few many much several lot lots number bit kind sort type way thing things stuff part parts rest day days week weeks \
month months year hour hours minute minutes second seconds time times morning evening night noon midnight afternoon weekday weekdays \
workday workdays weekend monday tuesday wednesday thursday friday saturday sunday mondays tuesdays wednesdays thursdays fridays saturdays \
sundays january february march april june july august september october november december o'clock oclock am pm uhr utc \
please thanks hi hello hey dear ok yes n8n workflow workflows automation integration node nodes step steps process flow pipeline system \
business company office shop store app application platform tool service api account colleague colleagues boss manager department people \
person someone somebody anyone everyone everybody nobody somewhere else otherwise instead besides example like called named titled \
based using ready available possible enough able sure via accordingly plus minus equal etc eg ie \
should would could can will shall may might must do does did done is are was were be been being have has had having get gets got want \
wants wanted need needs needed let lets make makes like likes i'd id im ive ill dont doesnt isnt arent cant wont didnt thats theres \
der die das den dem des ein eine einen einem einer eines und oder aber dann auch als am an auf aus bei bis durch fur gegen im in ins mit \
nach neben ohne seit statt uber um unter vom von vor wahrend wegen zu zum zur zwischen nicht kein keine keinen nur noch schon immer wieder \
jede jeden jedes jeder jedem alle allen aller alles mein meine meinen meinem meiner unser unsere unseren unserem unserer euer ihr ihre \
ihren sein seine ich du er sie es wir uns mir mich dir ihm ihnen man wer was wo wie warum wenn falls sobald ob dass weil damit davon dazu \
daraus darin dort hier diese dieser diesen diesem dieses jene neu neue neuen neuer neues aktuelle aktuellen letzten letzte kurze kurz kurzen \
gleich sofort bitte jeweils taglich wochentlich monatlich stundlich morgen morgens abends mittags nachts werktags tag tage stunde stunden \
minute minuten woche wochen monat montag dienstag mittwoch donnerstag freitag samstag sonntag montags dienstags mittwochs donnerstags \
freitags samstags sonntags werktag wochentag mittag abend nacht wird werden soll sollen kann hat haben ist sind war mochte hinzu \
ein an ab aus los zusammen fest pls plz kindly automatisch automatiquement automaticamente \
le la les l un une des du de d au aux et ou mais puis ensuite aussi comme a par pour dans en sur sous avec sans chez vers depuis entre \
pendant avant apres que qui quoi dont ou quand lorsque lorsqu chaque tous toutes tout toute mon ma mes notre nos votre vos leur leurs son sa \
ses ce cet cette ces il elle ils elles on nous vous je j tu moi me te lui y ne n pas plus seulement nouveau nouvelle nouveaux nouvelles \
nouvel dernier derniere dernieres derniers court courte tres bien si s'il vous plait svp jour jours semaine semaines mois heure heures \
lundi mardi mercredi jeudi vendredi samedi dimanche matin soir midi minuit nuit quotidien hebdomadaire est sont sera etre fois \
el la los las un una unos unas y o pero entonces luego tambien como con para por sin sobre en de del al desde hasta entre que quien cuando \
cada todos todas todo toda mi mis nuestro nuestra nuestros nuestras tu tus su sus este esta estos estas ese esa eso lo les nos me te se yo \
nosotros el ella ellos no solo nuevo nueva nuevos nuevas ultimo ultima ultimos ultimas corto corta muy bien si por favor dia dias semana \
semanas mes meses hora horas minuto minutos lunes martes miercoles jueves viernes sabado domingo manana tarde noche mediodia medianoche \
column columna colonne spalte field saying alguien quelqu jemand da sinon depasse depassent excede supera superan laborable laborables veces vez es son ser esta uno nuestro quiero";
